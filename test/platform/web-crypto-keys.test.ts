import { describe, expect, inject, it, vi } from "vitest";
import { serverWith } from "../support/server.ts";

/**
 * Tests which forms of PRIVATE_KEY are read without `node:crypto`, whose loading costs a starting isolate
 * milliseconds.
 */

const { plain } = inject("testKeys");

vi.mock("node:crypto", () => ({
  createPrivateKey() {
    throw new Error("node:crypto is not to be used");
  },
}));

const withoutNode = plain.filter(
  ([, key]) => key.includes("BEGIN PRIVATE KEY") || key.includes('"kty"'),
);
const withNode = plain.filter((form) => !withoutNode.includes(form));

describe("PRIVATE_KEY is read without node:crypto", () => {
  it.each(withoutNode)("as %s", async (_, PRIVATE_KEY) => {
    expect((await serverWith({ PRIVATE_KEY }).health()).status).toBe(200);
  });
});

describe("PRIVATE_KEY is read with node:crypto", () => {
  it.each(withNode)("as %s", async (_, PRIVATE_KEY) => {
    expect((await serverWith({ PRIVATE_KEY }).health()).status).toBe(503);
  });
});
