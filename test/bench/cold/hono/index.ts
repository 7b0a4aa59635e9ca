import { Hono } from "hono";

/** The smallest Worker with a router: Hono with one route, which reads the form and refuses it. */
const app = new Hono();

app.post("/access_token", async (c) => {
  const form = new URLSearchParams(await c.req.text());
  const error = form.has("refresh_token") ? "invalid_grant" : "invalid_request";
  return c.json({ error }, 400);
});

export default app;
