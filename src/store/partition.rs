//! Dividing the streams into parts, so that several workers fold at once.
//!
//! A part is a range of stream ids, in the order of their bytes, as blocks are: then each part has blocks
//! of its own, and a worker neither reads nor unpacks what others fold.

use super::Store;

impl<S> Store<S> {
    /// Where to divide the streams whose ids begin with `prefix` into `count` parts of about as many
    /// sealed events: the first id of each part but the first one. There may be fewer parts.
    pub fn stream_bounds(&self, prefix: &str, count: usize) -> Vec<String> {
        let log = self.log.borrow();
        let fences = log.segments.iter().flat_map(|segment| &segment.event_blocks);
        let mut ids: Vec<&str> = fences
            .map(|fence| fence.stream.as_str())
            .filter(|id| id.starts_with(prefix))
            .collect();
        ids.sort_unstable();
        let mut bounds: Vec<String> = (1..count)
            .filter_map(|part| ids.get(part * ids.len() / count))
            .map(|id| (*id).to_owned())
            .collect();
        bounds.dedup();
        bounds
    }
}
