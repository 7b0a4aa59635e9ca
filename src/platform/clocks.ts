/** How far the clocks of two locations may differ, in seconds, and with room to spare. */
export const CLOCKS_DIFFER = 60;
