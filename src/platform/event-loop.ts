/**
 * Lets the storage calls that have begun leave the isolate. The runtime sends them when nothing is left to run, and
 * WebCrypto gives up no turn: a signature with an RSA key of 4096 bits would keep them back for 10 ms.
 */
export function sendStorageCalls(): Promise<void> {
  return scheduler.wait(0);
}
