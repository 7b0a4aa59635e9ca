import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { ServerProcess, type ServerCommand } from "../server-process.ts";

/** How long a server may take until its first answer. Generous, because a busy machine is slow. */
const LIMIT_MS = 30_000;

/** What the first answer of a server took, in milliseconds. CPU time is that of all its threads. */
export interface FirstAnswer {
  status: number;
  /** From the start of the process until its port is open. */
  untilOpen: number;
  /** From the open port until the first byte of the answer: loading, compiling and running the Worker. */
  fromOpen: number;
  /** CPU time in `fromOpen`. */
  cpuFromOpen: number;
  /** CPU time since the start of the process. */
  cpu: number;
}

/** Starts a server, sends it one request as soon as its port is open, and kills it after the answer. */
export async function measureFirstAnswer(
  command: ServerCommand,
  path: string,
  form: string,
): Promise<FirstAnswer> {
  const started = performance.now();
  const server = ServerProcess.spawn(command);
  try {
    const socket = await connectTo(command.port, started + LIMIT_MS);
    const opened = performance.now();
    const cpuBefore = server.cpuMilliseconds();
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${command.port}\r\n` +
        "Content-Type: application/x-www-form-urlencoded\r\n" +
        `Content-Length: ${Buffer.byteLength(form)}\r\nConnection: close\r\n\r\n${form}`,
    );
    const [data] = (await once(socket, "data", {
      signal: AbortSignal.timeout(LIMIT_MS),
    })) as [Buffer];
    const answered = performance.now();
    const cpu = server.cpuMilliseconds();
    socket.destroy();
    const [, status] =
      /^HTTP\/1\.1 (\d{3}) /.exec(data.toString("latin1")) ?? [];
    return {
      status: Number(status),
      untilOpen: opened - started,
      fromOpen: answered - opened,
      cpuFromOpen: cpu - cpuBefore,
      cpu,
    };
  } finally {
    await server.kill();
  }
}

/** Connects as soon as the port is open. */
async function connectTo(port: number, deadline: number): Promise<Socket> {
  for (;;) {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    try {
      await once(socket, "connect");
      return socket;
    } catch (error) {
      socket.destroy();
      if (performance.now() > deadline) throw error;
    }
  }
}
