"use strict";
document.getElementById("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const value = (id) => document.getElementById(id).value;
  const request = { input: value("text"), members: true };
  if (value("model")) request.model = value("model");
  const headers = { "Content-Type": "application/json" };
  if (value("key")) headers.Authorization = `Bearer ${value("key")}`;
  const answer = document.getElementById("answer");
  try {
    const response = await fetch("/v1/score", { method: "POST", headers, body: JSON.stringify(request) });
    answer.textContent = JSON.stringify(await response.json(), null, 2);
  } catch (error) {
    answer.textContent = String(error);
  }
});
