import { once } from "node:events";
import { connect } from "node:net";

/** The time for which a raw request waits for its answer, in milliseconds. */
const ANSWER_MS = 30_000;

export interface RawResponse {
  status: number;
  headers: string;
  body: string;
}

/**
 * Sends bytes that no HTTP library would send, then ends its side of the connection, and reads the answer.
 *
 * @param url the server's origin
 */
export async function rawRequest(
  url: string,
  ...lines: string[]
): Promise<RawResponse> {
  const { port, hostname } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname });
  socket.setTimeout(ANSWER_MS, () => {
    socket.destroy(new Error(`no answer within ${ANSWER_MS} ms`));
  });
  let text = "";
  socket.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  await once(socket, "connect");
  socket.end(lines.join("\r\n"));
  await once(socket, "close");
  const [head = "", ...body] = text.split("\r\n\r\n");
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? [];
  return { status: Number(status), headers: head, body: body.join("\r\n\r\n") };
}
