/** How long `vi.waitFor` waits for what happens by itself: long, because the machine may be busy. */
export const BUSY = { timeout: 20_000 };
