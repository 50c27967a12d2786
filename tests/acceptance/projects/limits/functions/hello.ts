export default (input: { name?: string }) => ({ message: `Hello, ${input.name}` });
