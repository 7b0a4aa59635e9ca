/** The operations of the entrypoint `Login`, which loads them when it is called. No request for a token needs them. */

export {
  decideAuthorization,
  decision,
} from "../oauth/authorization/decide.ts";
export {
  aboutUser,
  describeAuthorization,
} from "../oauth/authorization/describe.ts";
export { encryptedRequest } from "../oauth/authorization/interaction.ts";
export {
  decideLogout,
  describeLogout,
  encryptedLogout,
  endedSession,
} from "../oauth/logout/end-session.ts";
export { grantUpdate, updateGrant } from "../oauth/tokens/update-grant.ts";
