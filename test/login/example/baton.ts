/**
 * The types of Baton's RPC, in one place. In a project of your own, put a copy of `src/rpc/types.ts` here, which imports
 * nothing. Only types are imported, so that none of Baton's code becomes part of this Worker.
 */
export type {
  AuthorizationDescription,
  Decision,
  EndedSession,
  LoginService,
  LogoutDescription,
  Refusal,
} from "../../../src/rpc/types.ts";
