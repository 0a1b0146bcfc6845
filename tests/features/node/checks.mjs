// What the checks of the official clients have in common: what the upstreams say, and how checks are counted.

export const SAID = "Xin chào! Tôi có thể giúp gì?";
export const THOUGHT = "The user wants to be greeted.";
export const UPSTREAMS = ["chat", "responses", "claude", "llama"];
export const WEATHER = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
export const CITIES = ["Hà Nội", "Huế"];
export const { BASE_URL, KEY } = process.env;

let checks = 0;
const failures = [];

// Runs a check at once, and notes its failure.
export async function check(name, body) {
  checks += 1;
  try {
    await body();
  } catch (error) {
    failures.push(`${name}: ${error?.stack ?? error}`);
  }
}

export function report() {
  console.log(failures.join("\n"));
  console.log(`${checks - failures.length} of ${checks} passed`);
  if (failures.length === 0) {
    console.log("all good");
  }
}
