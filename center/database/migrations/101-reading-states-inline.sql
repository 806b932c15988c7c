-- Each reading writes its printer's state anew. A state is two or three kilobytes: compressed and put aside it costs more
-- than everything else that is written. Rows up to a page stay whole.
ALTER TABLE reading_states SET (toast_tuple_target = 8160);
