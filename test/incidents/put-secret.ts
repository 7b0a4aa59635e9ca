import { text } from "node:stream/consumers";
import { DevVarsSecrets } from "../../src/cli/secrets/dev-vars.ts";

/** Stands in for `wrangler secret put`: sets a secret of a local server. As wrangler, it removes white space at the end. */
const [, , file = "", name = ""] = process.argv;
const value = await text(process.stdin);
await new DevVarsSecrets(file).put(name, value.trimEnd());
