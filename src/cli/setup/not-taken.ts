import { PRODUCTION } from "./address.ts";
import {
  blockOf,
  environmentsOf,
  type Json,
  type JsonObject,
  variablesOf,
} from "./settings.ts";

/** A value of wrangler.toml that the settings do not have, because theirs counts. */
export interface NotTaken {
  /** Where it is in wrangler.json: `vars.NAME`, `env.staging.vars.NAME`. */
  setting: string;
  "wrangler.toml": Json;
  "wrangler.json": Json;
}

/** Lists the values that somebody has set in wrangler.toml, where they have no effect. An empty one is not set. */
export function notTaken(base: JsonObject, settings: JsonObject): NotTaken[] {
  const variables = Object.entries(variablesOf(base));
  return environmentsOf(settings).flatMap((env) => {
    const block = blockOf(settings, env ?? PRODUCTION) ?? {};
    const place = env === undefined ? "" : `env.${env}.`;
    const own = variablesOf(block);
    return [
      // The routes of other environments are their own.
      ...(env === undefined
        ? differing("routes", base["routes"], block["routes"])
        : []),
      ...variables
        // Every environment has an address of its own.
        .filter(([name]) => name !== "ISSUER" || env === undefined)
        .flatMap(([name, value]) =>
          differing(`${place}vars.${name}`, value, own[name]),
        ),
    ];
  });
}

function differing(
  setting: string,
  base: Json | undefined,
  own: Json | undefined = null,
): NotTaken[] {
  const isSame = JSON.stringify(base) === JSON.stringify(own);
  return base === undefined || base === "" || isSame
    ? []
    : [{ setting, "wrangler.toml": base, "wrangler.json": own }];
}
