// What the Node relays share: the signed POST, over kept-alive connections.
import { createHmac } from "node:crypto";
import { Pool } from "undici";

export function sender(webhookUrl, secret, connections) {
  const target = new URL(webhookUrl);
  const pool = new Pool(target.origin, { connections });
  return async function send(message) {
    const body = JSON.stringify(message);
    const signature = createHmac("sha256", secret).update(body).digest("hex");
    const answer = await pool.request({
      path: target.pathname,
      method: "POST",
      headers: { "content-type": "application/json", "x-signature-sha256": signature },
      body,
    });
    await answer.body.dump();
    return answer.statusCode;
  };
}
