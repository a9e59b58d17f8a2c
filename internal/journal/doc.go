// Package journal changes several files of a folder at once. Whoever reads the
// folder through a [View] finds all files as they were before or all as they are
// afterwards: while the writer works, when it is killed at any moment, and when
// several write. It knows bytes and names of files, and nothing of models.
//
// A rename replaces one file, and a folder that holds other things too cannot be
// replaced. So [Write] goes through four stages, and a process may end anywhere:
//
//  1. It writes and syncs the new files in a hidden folder, [StagePrefix] and 16
//     digits. Readers do not look there, and see the old files. What a killed
//     process leaves is removed by the next Write.
//  2. It renames a file that lists the new ones to [Name]: the journal. This is the
//     moment at which all of them change. Readers follow the journal to the hidden
//     folder.
//  3. It renames the new files to their final names, one by one. A file that the
//     journal lists is in the hidden folder or, if it is not there any more, in its
//     final place. The next Write does what a killed one had not done yet.
//  4. It removes the journal and the hidden folder: plain files are left, which
//     programs that know no journal read.
//
// A folder without a journal, such as a downloaded one, is plain files from the
// start. Readers never write, take no lock and need no permission to.
//
// # Locks
//
// Those who write to one folder take turns by an advisory lock, flock on Linux,
// macOS and the BSDs and LockFileEx on Windows, which the system lifts when a
// process ends, however it ends. Where the system or the file system has neither
// (wasip1, js, Plan 9, Solaris, AIX, some network mounts), there are no locks:
// readers still see one state or another as long as one process at a time writes,
// two writers may disturb each other, [Lock] refuses nobody, and what killed
// processes leave behind is left.
//
// # Windows
//
// A file that a program has mapped cannot be replaced there. The journal then stays,
// readers of ours follow it, and the next Write tries again.
package journal
