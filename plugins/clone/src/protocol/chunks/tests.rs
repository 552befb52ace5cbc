use super::*;

#[test]
fn chunks_are_whole_when_their_connection_goes_on() {
    let mut map = ChunkMap::of_stage(40);
    map.block_done(Task::Master, 1, 63);
    map.block_done(Task::Master, 1, 64);
    map.block_done(Task::Worker(1), 2, 1);
    map.block_done(Task::Master, 33, 7);
    let expected: Vec<u8> = [2_u32, 2, 1, 33, 7, 2, 0b11, 1].map(u32::to_be_bytes).concat();
    assert_eq!(map.to_bytes(), expected);
    map.task_done(Task::Worker(1));
    map.cut();
    map.task_done(Task::Master);
    let expected: Vec<u8> = [1_u32, 33, 7, 2, 0b11, 1].map(u32::to_be_bytes).concat();
    assert_eq!(map.to_bytes(), expected);
}

#[test]
fn chunks_beyond_the_number_announced_are_kept_too() {
    let mut map = ChunkMap::of_stage(0);
    map.block_done(Task::Master, 0, 1);
    map.block_done(Task::Master, 34, 1);
    let expected: Vec<u8> = [1_u32, 34, 1, 2, 0, 2].map(u32::to_be_bytes).concat();
    assert_eq!(map.to_bytes(), expected);
}
