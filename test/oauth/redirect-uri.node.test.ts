import { describe, expect, it } from "vitest";
import { isSameRedirectUri } from "../../src/oauth/redirect-uri.ts";

/** Tests which redirect URIs a token request may name beside that of its authorization request. */

const same: [string, string][] = [
  ["https://app.example.com/callback", "https://app.example.com/callback"],
  ["myapp://callback", "myapp://callback"],
  ["http://127.0.0.1:5000", "http://127.0.0.1:5000/"],
  ["http://[::1]:5000", "http://[::1]:5000/"],
  ["http://localhost", "http://localhost/"],
  ["http://localhost:5000?x=1", "http://localhost:5000/?x=1"],
];

const different: [string, string][] = [
  ["http://127.0.0.1:5000", "http://127.0.0.1:5001/"],
  ["http://127.0.0.1:5000/callback", "http://127.0.0.1:5001/callback"],
  ["http://127.0.0.1:5000", "http://127.0.0.1/"],
  ["http://127.0.0.1:80", "http://127.0.0.1/"],
  ["http://127.0.0.1:5000", "http://localhost:5000/"],
  ["http://127.0.0.1:5000", "https://127.0.0.1:5000/"],
  ["http://127.0.0.1:5000/callback", "http://127.0.0.1:5000/callback/"],
  ["http://127.0.0.1:5000?x=1", "http://127.0.0.1:5000/?x=2"],
  ["http://127.0.0.1:99999", "http://127.0.0.1:99999/"],
  ["http://127.0.0.1:5000", "http://127.0.0.1:5000@evil.example/"],
  ["https://app.example.com", "https://app.example.com/"],
  ["https://localhost", "https://localhost/"],
  ["myapp://callback", "myapp://callback/"],
];

describe("two redirect URIs lead to the same place", () => {
  it.each(same)("%s and %s, either way round", (one, other) => {
    expect(isSameRedirectUri(one, other)).toBe(true);
    expect(isSameRedirectUri(other, one)).toBe(true);
  });
});

describe("two redirect URIs lead to different places", () => {
  it.each(different)("%s and %s, either way round", (one, other) => {
    expect(isSameRedirectUri(one, other)).toBe(false);
    expect(isSameRedirectUri(other, one)).toBe(false);
  });
});
