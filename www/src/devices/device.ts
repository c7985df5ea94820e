/** The devices of the page: two people, four screens, each with a database of its own. */

export interface Device {
  readonly key: "a" | "b" | "c" | "d";
  readonly name: string;
  /** Where there is little room. */
  readonly short: string;
  /** Who the server is told is using it. */
  readonly subject: string;
}

export const DEVICES: readonly [Device, Device, Device, Device] = [
  { key: "a", name: "Anna’s phone", short: "Anna", subject: "anna" },
  { key: "b", name: "Ben’s phone", short: "Ben", subject: "ben" },
  { key: "c", name: "Anna’s laptop", short: "Anna 2", subject: "anna" },
  { key: "d", name: "Ben’s tablet", short: "Ben 2", subject: "ben" },
];

/** `anna` as she is written. */
export function personOf(subject: string): string {
  return subject.charAt(0).toUpperCase() + subject.slice(1);
}

export function databaseOf(device: Device): string {
  return `ledger-device-${device.key}`;
}
