// date-fns: works on the request's clock, which replay sets back to what it was.
import { defineFunction } from "flux";
import { addBusinessDays, differenceInCalendarDays, formatISO, isWeekend, parseISO } from "date-fns";
import * as z from "zod";

export default defineFunction({
  input: z.object({ from: z.iso.date(), days: z.number().int().min(0).max(365) }),
  handler({ input }) {
    const from = parseISO(input.from);
    const due = addBusinessDays(from, input.days);
    return {
      due: formatISO(due, { representation: "date" }),
      calendar_days: differenceInCalendarDays(due, from),
      weekend_start: isWeekend(from),
    };
  },
});
