// Loads the page's own module a second time, as the worker that owns every port.
const at = new URL(self.location.href).searchParams;
const page = await import(at.get("script"));
await page.default({ module_or_path: at.get("module") });
page.worker_main();
