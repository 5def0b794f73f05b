// Loads the page's own module again, as the worker that owns every port, or as one that makes a patch.
const at = new URL(self.location.href).searchParams;
const page = await import(at.get("script"));
await page.default({ module_or_path: at.get("module") });
page[at.get("entry") ?? "worker_main"]();
