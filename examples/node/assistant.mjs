// The program under test: it knows nothing of aicache, and reads the variable that openai's SDK reads, too.
const BASE = process.env.OPENAI_BASE_URL ?? "https://api.openai.com/v1";
const MODEL = "gpt-4o-mini";

async function chat(question, more = {}) {
  const answer = await fetch(`${BASE}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${process.env.OPENAI_API_KEY}` },
    body: JSON.stringify({ model: MODEL, messages: [{ role: "user", content: question }], ...more }),
  });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  return answer;
}

export async function capital(country) {
  const answer = await chat(`What is the capital of ${country}? Answer in one word.`);
  return (await answer.json()).choices[0].message.content;
}

export async function* story(topic) {
  const answer = await chat(`Tell a story about ${topic} in one sentence.`, { stream: true });
  const text = await answer.text();
  for (const line of text.split("\n")) {
    if (!line.startsWith("data: {")) continue;
    const content = JSON.parse(line.slice(6)).choices[0]?.delta.content;
    if (content) yield content;
  }
}
