import { expect, it } from "vitest";
import { VERSION } from "../src/endpoints/version.ts";
import packageJson from "../package.json" with { type: "json" };

it("the version that /health tells administrators is that of package.json", () => {
  expect(VERSION).toBe(packageJson.version);
});
