/** The server at the page's own address, as its development mode offers itself: is it there, who may come in. */

export const SERVER = location.origin;

/** False on a host that serves nothing but files. */
export async function isServerThere(): Promise<boolean> {
  try {
    const answer = await fetch(`${SERVER}/healthz`, { cache: "no-store" });
    // A host of files may answer every address with the page itself.
    return answer.ok && (await answer.text()).trim() === "ok";
  } catch {
    return false;
  }
}

/** A token for one person in one space. Only a server in development mode gives them away like this. */
export async function tokenFor(subject: string, space: string): Promise<string> {
  const answer = await fetch(`${SERVER}/dev/token`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ subject, space }),
  });
  if (!answer.ok) throw new Error(`the server gives no token: ${answer.status}`);
  const { token } = (await answer.json()) as { token: string };
  return token;
}
