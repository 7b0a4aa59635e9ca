import type { JWK } from "jose";

/** The settings of a contender on Node, which gets them as JSON in its only argument. */
export interface Settings {
  folder: string;
  port: number;
  issuer: string;
  audience: string;
  client_id: string;
  client_secret: string;
  /** True if each commit is on the disk before it is acknowledged. */
  sync: boolean;
  /** The delay of the store in milliseconds: 0, except where the delay is what is measured. */
  storeDelay: number;
  /** How agents use the server. The other benchmarks leave it out. */
  agents?: {
    /** Where the server has a setting for that: refresh tokens are rotated at each refresh, or never. Else its default. */
    rotation?: "always" | "never";
    /** The thumbprint of the key that logins are bound to (RFC 9449), where the server does that. */
    jkt?: string;
    /** The public key with which the client authenticates (`private_key_jwt`), where the server does that. */
    jwk?: JWK;
  };
}

/** Settings that all share. No request goes to these addresses. The secret only works on the loopback address. */
export const common = {
  issuer: "https://auth.example",
  audience: "https://api.example",
  client_id: "bench",
  client_secret: "ZJmxRzC0gVYk3nHq8tPw5uLd2sFa7eBo9iXv1yKc4Nw",
};

/** Reads the settings in the server's own process. */
export function settingsFromArguments(): Settings {
  return JSON.parse(process.argv[2] ?? "") as Settings;
}
