import type { JwtInterface } from "@jmondi/oauth2-server";
import { CompactSign, decodeJwt, importJWK, jwtVerify } from "jose";
import { signingKey } from "../sqlite.ts";
import { database, settings } from "./database.ts";

const jwk = signingKey(database);
const privateKey = await importJWK(jwk, "ES256");
const { d: _private, ...publicJwk } = jwk;
export { publicJwk };
const publicKey = await importJWK(publicJwk, "ES256");

/** Signs with ES256, because the library's own JwtService signs with HS256 whatever the key. */
export const jwt: JwtInterface = {
  async sign(payload) {
    const bytes =
      typeof payload === "string" || payload instanceof Buffer
        ? payload
        : JSON.stringify(payload);
    return new CompactSign(Buffer.from(bytes))
      .setProtectedHeader({ alg: "ES256", typ: "JWT", kid: jwk.kid })
      .sign(privateKey);
  },
  async verify(token) {
    const verified = await jwtVerify(token, publicKey, {
      algorithms: ["ES256"],
    });
    return verified.payload;
  },
  decode: decodeJwt,
  extraTokenFields: () => ({ aud: settings.audience }),
};
