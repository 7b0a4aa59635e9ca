import { type Endpoint } from "./endpoint.ts";

/** Loads what no request for a token needs. */
const load = () => import("./registration-answer.ts");

const isOn: NonNullable<Endpoint["isOn"]> = ({ dynamic_registration }) =>
  dynamic_registration !== undefined;

/** The path of one registration. */
const path = "/register/:client_id";

/**
 * Dynamic registration (RFC 7591), and the changes of a registration by its client (RFC 7592). Pages of other origins may
 * call it, because some clients run in a browser.
 */
export const registrationEndpoints: Endpoint[] = [
  {
    path: "/register",
    method: "POST",
    cors: true,
    isOn,
    metadata: ({ issuer }) => ({ registration_endpoint: `${issuer}/register` }),
    respond: async (c) => (await load()).register(c),
  },
  {
    path,
    method: "GET",
    cors: true,
    isOn,
    respond: async (c) => (await load()).readRegistrationOf(c),
  },
  {
    path,
    method: "PUT",
    cors: true,
    isOn,
    respond: async (c) => (await load()).replaceRegistration(c),
  },
  {
    path,
    method: "DELETE",
    cors: true,
    isOn,
    respond: async (c) => (await load()).deleteRegistration(c),
  },
];
