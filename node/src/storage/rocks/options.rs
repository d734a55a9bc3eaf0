//! How the two families are kept: their buffers, tables and compression. Pure.

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, Options};

use super::StorageTuning;

/// A shard of some gigabytes in tables of a snapshot.
const LEVEL_0_TABLES_MANY: i32 = 256;

pub(super) fn of_log(tuning: &StorageTuning, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_write_buffer_size(tuning.log_buffer_bytes);
    options.set_max_write_buffer_number(3);
    let_tables_pile_up(&mut options);
    // Rows live for minutes and are deleted in order: compressing them buys nothing.
    options.set_compression_type(DBCompressionType::None);
    options
}

pub(super) fn of_state(tuning: &StorageTuning, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_bloom_filter(10.0, false);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_write_buffer_size(tuning.state_buffer_bytes);
    options.set_max_write_buffer_number(4);
    // Most sales touch a citizen who has no record yet; the memtable answers "absent" without a search.
    options.set_memtable_whole_key_filtering(true);
    options.set_memtable_prefix_bloom_ratio(0.05);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_compression_type(DBCompressionType::Lz4);
    let_tables_pile_up(&mut options);
    options
}

/// Many tables on the first level must not stop writes, which every group of the node waits for: who rewrites them has
/// stepped back, and tables of snapshots come to lie there beside a view that still reads what they replace.
fn let_tables_pile_up(options: &mut Options) {
    options.set_level_zero_slowdown_writes_trigger(LEVEL_0_TABLES_MANY);
    options.set_level_zero_stop_writes_trigger(2 * LEVEL_0_TABLES_MANY);
}
