/** The stream was not where the caller thought it was; nothing was written. */
export class Conflict extends Error {
  constructor(streamId, expected, options) {
    super(`stream ${streamId} is not at version ${expected}`, options);
    this.name = "Conflict";
  }
}
