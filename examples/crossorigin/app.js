import api from "/api-origin.js";

let csrf = ""; // the session's token, from its last answer

// call sends a request to the API with the session's cookie, and shows what went wrong.
async function call(method, path, body) {
  let answer;
  try {
    const response = await fetch(api + path, {
      method,
      credentials: "include", // the cookie goes to the other origin, and comes from there
      headers: {
        Accept: "application/json", // errors as problem details, too
        ...(body && { "Content-Type": "application/json" }),
        ...(method !== "GET" && { "X-CSRF-Token": csrf }),
      },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    answer = { ok: response.ok, ...(text && JSON.parse(text)) };
  } catch (error) {
    answer = { title: String(error) };
  }
  show(answer);
}

function show({ ok, user = "", notes, csrf: token = "", title = "" }) {
  document.getElementById("problem").textContent = title;
  if (!ok) return;
  csrf = token;
  document.getElementById("user").textContent = user;
  document.getElementById("notes").replaceChildren(...(notes ?? []).map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
}

function on(id, send) {
  document.getElementById(id).addEventListener(id === "sign-out" ? "click" : "submit", (event) => {
    event.preventDefault();
    send(Object.fromEntries(id === "sign-out" ? [] : new FormData(event.target)));
  });
}

on("sign-in", (form) => call("POST", "/sign-in", { user: form.user }));
on("note", (form) => call("POST", "/notes", { text: form.text }));
on("sign-out", () => call("POST", "/sign-out"));
call("GET", "/notes");
