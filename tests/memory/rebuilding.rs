//! A rebuild, driven as `ts/build.ts` drives it.

use everfold::projection::{Projection, index_names};
use everfold::store::{Advanced, Fold, FoldError, Query, Storage, Store, StoredRows};

/// Rebuilds the rows of `P`: up to `position` in steps of five events, each put aside. One that is under way
/// is taken up if `resume`. False if another tab changed the rows. After a failure it can be taken up.
pub(crate) async fn try_rebuild<P: Projection, S: Storage>(
    store: &Store<S>,
    resume: bool,
    position: u64,
) -> Result<bool, FoldError> {
    let (name, version) = (P::NAME, P::VERSION);
    let indexes = index_names::<P>();
    let begun = store.begin_rebuild(name, version, resume, &indexes);
    let before = begun.await?.state;
    let Some(rebuild) = before.rebuild else {
        return Ok(false);
    };
    let generation = rebuild.generation;
    flush::<P, S>(store, generation).await?;
    let mut fold = Fold::new::<P>(StoredRows {
        generation,
        checkpoint: rebuild.checkpoint,
        revision: 0,
    });
    let switched = loop {
        let budget = if fold.position().0 < position { 5 } else { 4_096 };
        let advanced = fold.advance(store, store, &Query::default(), budget).await?;
        if advanced == Advanced::Gone || !fold.stage(store).await? {
            break false;
        }
        if advanced == Advanced::Done {
            flush::<P, S>(store, generation).await?;
            fold.forget();
            if store.switch_generation(name, version, generation).await? {
                break true;
            }
            store.catch_up().await?;
            if fold.position() >= store.position() {
                break false;
            }
        }
    };
    if switched {
        drop_rows(store, before.generation).await?;
    } else {
        let state = store.projection(name, version, "").await?.state;
        // Another tab may have taken it up, and have made it the live one.
        if state.rebuild.is_some_and(|rebuild| rebuild.generation == generation) {
            drop_rows(store, generation).await?;
        }
    }
    Ok(switched)
}

async fn flush<P: Projection, S: Storage>(store: &Store<S>, generation: u64) -> Result<(), FoldError> {
    while !store.flush_rows(P::NAME, P::VERSION, generation).await? {}
    Ok(())
}

/// Deletes rows two at a time.
pub(crate) async fn drop_rows<S: Storage>(store: &Store<S>, generation: u64) -> Result<(), FoldError> {
    while !store.drop_generation(generation, 2).await? {}
    Ok(())
}
