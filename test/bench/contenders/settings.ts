/** What a contender on Node is started with: JSON, its only argument. */
export interface Settings {
  folder: string;
  port: number;
  issuer: string;
  audience: string;
  client_id: string;
  client_secret: string;
  /** How many milliseconds away the store is: 0, except where that is what is measured. */
  storeDelay: number;
}

/** The same for all. Nothing is asked at these addresses; the secret is for the loopback address only. */
export const common = {
  issuer: "https://auth.example",
  audience: "https://api.example",
  client_id: "bench",
  client_secret: "ZJmxRzC0gVYk3nHq8tPw5uLd2sFa7eBo9iXv1yKc4Nw",
};

/** For the server's own process. */
export function givenSettings(): Settings {
  return JSON.parse(process.argv[2] ?? "") as Settings;
}
