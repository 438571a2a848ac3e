// Loaded before Azurite, which saves its index when it is asked to stop, but listens for that only some time after it
// has begun to serve: a SIGTERM in between would end it with blobs in its memory only. It is kept for Azurite here.
process.on("SIGTERM", () => {
  if (process.listenerCount("SIGTERM") === 1) setTimeout(() => process.kill(process.pid, "SIGTERM"), 50);
});
