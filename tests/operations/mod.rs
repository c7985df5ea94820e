//! Random reads and writes over few keys, so that they meet.
//!
//! What happens is read off a list of bytes: a property test finds the shortest list that fails, a
//! browser takes the bytes of a seed. Every choice is possible with any bytes, so none are wasted.

use everfold::store::{Bound, Change, Check, Durability, Key, KeyRange, Order, Read, Table, Write};

/// Bytes that become choices. When they are used up, every choice is the first.
pub(crate) struct Choices<'a>(pub(crate) &'a [u8]);

/// One call of a storage.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Read(Vec<Read>),
    Write(Write),
}

impl Operation {
    /// The next call, when the journal is about to give the number `next`.
    pub(crate) fn choose(choices: &mut Choices<'_>, next: u64) -> Self {
        if choices.below(3) == 0 {
            Self::Read((0..=choices.below(3)).map(|_| choices.read()).collect())
        } else {
            Self::Write(choices.write(next))
        }
    }

    /// The number that the journal gives next, once this is done.
    pub(crate) fn next_number(&self, next: u64) -> u64 {
        let Self::Write(write) = self else {
            return next;
        };
        write.changes.iter().fold(next, after)
    }
}

fn after(mut next: u64, change: &Change) -> u64 {
    match change {
        Change::Append { .. } | Change::Add { .. } => next += 1,
        Change::Put(Table::Journal, key, _) => {
            while Key::from(next) <= *key {
                next += 1;
            }
        }
        _ => {}
    }
    next
}

impl Choices<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn below(&mut self, limit: u8) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                first % limit
            }
            None => 0,
        }
    }

    fn one_of<T, const N: usize>(&mut self, options: [T; N]) -> T {
        let at = self.below(N.try_into().expect("a handful of options"));
        options.into_iter().nth(at.into()).expect("it is below their number")
    }

    fn table(&mut self) -> Table {
        self.one_of([Table::Rows, Table::Index, Table::Meta, Table::Journal])
    }

    fn part(&mut self) -> Key {
        match self.below(7) {
            0 => Key::from("a"),
            1 => Key::from("b"),
            2 => Key::from(1),
            3 => Key::Number(-0.5),
            4 => Key::from("🦀"),
            5 => Key::from("\u{e000}"),
            _ => Key::from(""),
        }
    }

    fn key(&mut self, table: Table) -> Key {
        match table {
            Table::Rows => Key::from([Key::from("g"), self.part()]),
            Table::Index => Key::from([Key::from("g"), Key::from("i"), self.part(), self.part()]),
            Table::Journal => Key::from(u64::from(self.below(12))),
            _ => match self.below(4) {
                0 => self.part(),
                1 => Key::from([]),
                2 => Key::from([self.part()]),
                _ => Key::from([self.part(), self.part()]),
            },
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let byte = self.below(5);
        vec![byte; byte.into()]
    }

    fn bound(&mut self, table: Table) -> Bound {
        match self.below(3) {
            0 => Bound::Open,
            1 => Bound::Including(self.key(table)),
            _ => Bound::Excluding(self.key(table)),
        }
    }

    fn range(&mut self, table: Table) -> KeyRange {
        match self.below(6) {
            0 => KeyRange::ALL,
            1 => KeyRange::only(self.key(table)),
            2 => KeyRange::prefix(&[self.part()]),
            3 => KeyRange::prefix(&[Key::from("g"), Key::from("i")]),
            _ => KeyRange {
                lower: self.bound(table),
                upper: self.bound(table),
            },
        }
    }

    fn order(&mut self) -> Order {
        self.one_of([Order::Ascending, Order::Descending])
    }

    fn limit(&mut self) -> Option<u32> {
        self.one_of([None, Some(0), Some(1), Some(2), Some(5), Some(u32::MAX)])
    }

    fn read(&mut self) -> Read {
        let table = self.table();
        match self.below(4) {
            0 => Read::Get(table, self.key(table)),
            1 => Read::Scan {
                table,
                range: self.range(table),
                order: self.order(),
                limit: self.limit(),
            },
            2 => Read::Count(table, self.range(table)),
            _ => Read::Indexed {
                range: self.range(Table::Index),
                order: self.order(),
                limit: self.limit(),
            },
        }
    }

    fn write(&mut self, next: u64) -> Write {
        // Most writes check nothing, most checks expect nothing: that often holds.
        let checks = self.one_of([0, 0, 0, 1, 2]);
        let changes = self.below(5);
        let mut number = next;
        Write {
            checks: (0..checks).map(|_| self.check()).collect(),
            changes: (0..changes).map(|_| self.change(&mut number)).collect(),
            durability: Durability::Relaxed,
        }
    }

    fn check(&mut self) -> Check {
        let table = self.table();
        Check {
            table,
            key: self.key(table),
            expected: if self.below(3) == 0 { Some(self.value()) } else { None },
        }
    }

    fn change(&mut self, next: &mut u64) -> Change {
        match self.below(9) {
            0 => {
                let table = self.table();
                Change::Delete(table, self.range(table))
            }
            1 => {
                let key = self.key(Table::Journal);
                let put = Change::Put(Table::Journal, key, self.value());
                *next = after(*next, &put);
                put
            }
            kind @ (2 | 3) => {
                let wrong = self.below(6) == 0;
                let expected = if wrong { u64::from(self.below(9)) } else { *next };
                *next += 1;
                let value = self.value();
                if kind == 2 {
                    Change::Append { value, expected }
                } else {
                    Change::Add { value, expected }
                }
            }
            _ => {
                let table = self.one_of([Table::Rows, Table::Index, Table::Meta]);
                Change::Put(table, self.key(table), self.value())
            }
        }
    }
}
