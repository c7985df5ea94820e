// One line that says what is being measured: rewritten on a terminal, printed once a topic elsewhere.

let lastTopic;

export function progress(text) {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\x1b[K${text}`);
    return;
  }
  const topic = text.split(":")[0];
  if (topic !== lastTopic) process.stderr.write(`${topic} ...\n`);
  lastTopic = topic;
}

export function endProgress() {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
}
