#!/bin/sh
# The engine of the test printer: while it "prints" it passes the lines of $PRINTER_DIR/reasons (`STATE: +media-jam`,
# `ATTR: …`) to ippeveprinter; if $PRINTER_DIR/fail exists, it aborts the job.
if [ -f "$PRINTER_DIR/reasons" ]; then
  while IFS= read -r line; do
    echo "$line" >&2
    sleep 0.1
  done <"$PRINTER_DIR/reasons"
fi
echo 'ATTR: job-impressions=3 job-impressions-completed=3' >&2
[ ! -f "$PRINTER_DIR/fail" ]
