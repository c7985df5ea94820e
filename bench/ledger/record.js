// What a peer stores for an event: the fields that an event of everfold has too, one record each.

export const streamOf = (accountId) => `account-${accountId}`;

/** Full records of one commit, about 380 bytes each as JSON. */
export function recordsOfCommit(streamId, expectedVersion, events) {
  const commitId = crypto.randomUUID();
  const recordedAt = Date.now();
  return events.map((event, index) => ({
    streamId,
    version: expectedVersion + 1 + index,
    eventId: crypto.randomUUID(),
    commitId,
    type: event.type,
    data: event.data,
    occurredAt: event.occurredAt,
    recordedAt,
  }));
}
