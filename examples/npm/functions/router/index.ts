// hono: a router in the fetch style answers a whole subtree of paths.
import { Hono } from "hono";

interface Book {
  id: number;
  title: string;
}

const books: Book[] = [{ id: 1, title: "Middlemarch" }, { id: 2, title: "Emma" }];

const app = new Hono().basePath("/books");

app.get("/", (c) => c.json({ books: books.filter((book) => book.title.includes(c.req.query("title") ?? "")) }));

app.get("/:id", (c) => {
  const book = books.find((candidate) => candidate.id === Number(c.req.param("id")));
  return book ? c.json(book) : c.json({ error: "no such book" }, 404);
});

app.post("/", async (c) => {
  const { title } = await c.req.json<{ title: string }>();
  c.header("location", `/books/${books.length + 1}`);
  return c.json({ id: books.length + 1, title }, 201);
});

export default app;
