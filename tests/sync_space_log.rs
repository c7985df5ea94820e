//! The suite of logs on the one in memory.
#![cfg(not(target_arch = "wasm32"))]

mod space_log;

use std::sync::Arc;

use everfold::sync::MemoryLog;

struct InMemory(Arc<MemoryLog>);

impl space_log::Place for InMemory {
    type Log = Arc<MemoryLog>;

    fn open(&self) -> Arc<MemoryLog> {
        Arc::clone(&self.0)
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        pollster::block_on(future)
    }
}

macro_rules! on_memory {
    ($($sentence:ident)*) => {
        $(
            #[test]
            fn $sentence() {
                space_log::$sentence(&InMemory(Arc::default()));
            }
        )*
    };
}

space_log::space_log_sentences!(on_memory);
