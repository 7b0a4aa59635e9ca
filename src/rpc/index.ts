/** The RPC entrypoints, for Workers of the same account with a service binding. */

export { Admin } from "./admin.ts";
export { Login } from "./login.ts";
export { Tokens } from "./tokens.ts";
