import { expect, test } from "vitest";
import {
  environmentProblem,
  issuerProblem,
  loginUrlProblem,
  workerNameProblem,
} from "../../../src/cli/setup/address.ts";

/** What setup refuses before it does anything. */

test.each([
  "https://auth.example.com",
  "https://a.b.example.co.uk",
  "https://xn--bcher-kva.example",
  "https://baton.example.workers.dev",
])("the address %s can be that of a server", (issuer) => {
  expect(issuerProblem(issuer, "baton")).toBeUndefined();
});

test.each([
  ["", "is empty"],
  ["auth.example.com", "must be a URL such as"],
  ["https:auth.example.com", "must be a URL such as"],
  ["http://auth.example.com", "must begin with https://"],
  ["https://auth.example.com/", "must not end with a slash"],
  ["https://auth.example.com/oauth", "must be an origin"],
  ["https://auth.example.com?x", "must be an origin"],
  ["https://user@auth.example.com", "must be an origin"],
  ["https://Auth.example.com", "must be an origin"],
  ["https://auth.example.com:8443", "must not have a port"],
  ["https://localhost", "must have a host name in a domain"],
  ["https://192.0.2.1", "must have a host name in a domain"],
  ["https://[2001:db8::1]", "must have a host name in a domain"],
  ["https://other.example.workers.dev", "must be https://baton.SUBDOMAIN"],
  ["https://example.workers.dev", "must be https://baton.SUBDOMAIN"],
])("the address %j %s", (issuer, problem) => {
  expect(issuerProblem(issuer, "baton")).toContain(problem);
});

test.each([
  "",
  "http://login.example.com",
  "https://login.example.com/#top",
  "https://login.example.com/a b",
  "https://login.example.com/?request=1",
  "login.example.com",
])("the sign-in page %j is refused", (url) => {
  expect(loginUrlProblem(url)).toMatch(/^must /);
});

test("names become a part of the Worker's name", () => {
  for (const name of ["production", "staging", "eu-1"])
    expect(environmentProblem(name)).toBeUndefined();
  for (const name of ["", "Staging", "1", "a b", "x".repeat(32)])
    expect(environmentProblem(name)).toMatch(/^must /);
  expect(workerNameProblem("baton-eu")).toBeUndefined();
  for (const name of ["", "Baton", "-a", "a-", "a.b", "x".repeat(64)])
    expect(workerNameProblem(name)).toMatch(/^must /);
});
