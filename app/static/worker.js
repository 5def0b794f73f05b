// Loads the page's own module again: as the worker that owns every port, or as one that makes a patch. Which module and
// which entry says the first message, from the thread that made this worker.
self.addEventListener(
  "message",
  async ({ data }) => {
    self.bootlace = data;
    const page = await import(data.script);
    await page.default({ module_or_path: data.module });
    page[data.entry]();
  },
  { once: true },
);
