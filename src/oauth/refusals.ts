import { adminRefusals } from "./admin-refusals.ts";
import { registrationRefusals } from "./registration-refusals.ts";
import { requestRefusals } from "./request-refusals.ts";
import { signInRefusals } from "./sign-in-refusals.ts";
import { tokenRefusals } from "./token-refusals.ts";

/**
 * Every refusal of the server, by its reason. The reason goes to the log only; status, code and description
 * go to the wire (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8707 section 2, RFC 7009 section 2.2.1). A
 * description has only characters of RFC 6749 section 5.2: no quotation mark and no backslash.
 */
export const refusals = {
  ...requestRefusals,
  ...signInRefusals,
  ...tokenRefusals,
  ...registrationRefusals,
  ...adminRefusals,
};

/** The precise reason of a refusal: a row of the table. It goes to the log, never to the wire. */
export type Reason = keyof typeof refusals;
