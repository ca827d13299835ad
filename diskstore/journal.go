package diskstore

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/sojourn-go/sojourn/store"
)

// A change of several files of one user (Rotate, a Create that evicts) is one step because of a
// journal, the file .j in the user's directory:
//
//	0  8  magic "sojournJ"
//	8  1  number of puts, each 36 bytes: ID, and the sum of the file that becomes it
//	   2  number of removes, each 32 bytes: ID
//	   4  CRC-32C of all before it
//
// The files that are put wait under the names .0, .1. The order is:
//
//  1. .0, .1 are written and synced; .n, which holds the journal, too.
//  2. .n is renamed to .j and the directory synced: this is the commit.
//  3. What ends is removed; .1, the tail, is renamed to its ID, and then .0 to its own.
//  4. The directory is synced, .j removed. Now the change is acknowledged.
//
// Why that is one step. Who holds the lock and finds .j does 3 and 4 first. Who reads without a
// lock and finds a file may take it as it is: what ends has ended before what begins can be found.
// If he finds none he looks for .j, and if it is there takes the lock and looks again. So nobody
// finds the old key empty and then the new one empty too, nor the new one live and then the old one
// live too. (3 is in order as long as the machine runs. After it crashed, parts of 3 may be there
// in any order: so until a Sweep has been through all directories, and finished what it found
// there, readers look for .j in any case.)
//
// Why a crash leaves all or nothing. After a power cut before the sync of 2 has ended, the names in
// the directory may be there or not, each by itself. Without .j, nothing was done, and .0 and .1
// are rubbish that the next change replaces. With .j, either each file that is put is found whole,
// at one of its names: then 3 and 4 run, and each part of them may be repeated. Or one is at
// neither name: its name was not synced yet, so nothing of 3 was done, and the change is dropped.
// After the sync of 2 the first is the case, until the sync of 4.
//
// Why a journal cannot come back later. Its removal is not synced. But every later acknowledged
// change of the directory syncs it, and with it the removal. So at worst a power cut brings .j back
// while nothing was acknowledged since, and all of the change is there, synced by 4: to do 3 again
// undoes no more than what nobody was told, and a file that is put and was changed or ended since
// lies at neither name, so that nothing is done.
const (
	journalMagic = "sojournJ"
	journalName  = ".j"
	newName      = ".n"
	guardName    = ".g"
	putSize      = 36
)

var putNames = [...]string{".0", ".1"}

// change is what a journal holds.
type change struct {
	puts    []put
	removes []store.ID
}

type put struct {
	id   store.ID
	crc  uint32 // of all the file
	file []byte // to be written; not in the journal
	time int64  // modification time of the file
}

func newPut(rec *store.Record) put {
	b := encode(rec)
	return put{rec.Key.ID, sum(b), b, mtimeOf(rec)}
}

func (c *change) encode() []byte {
	b := append([]byte(journalMagic), byte(len(c.puts)))
	for _, p := range c.puts {
		b = append(b, p.id[:]...)
		b = binary.BigEndian.AppendUint32(b, p.crc)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.removes)))
	for i := range c.removes {
		b = append(b, c.removes[i][:]...)
	}
	return binary.BigEndian.AppendUint32(b, sum(b))
}

func decodeJournal(b []byte) (c change, err error) {
	const idSize = len(store.ID{})
	bad := damaged("not a journal")
	if len(b) < 17 || string(b[:8]) != journalMagic || binary.BigEndian.Uint32(b[len(b)-4:]) != sum(b[:len(b)-4]) {
		return c, bad
	}
	n := int(b[8])
	b = b[9 : len(b)-4]
	if n > len(putNames) || len(b) < n*putSize+4 {
		return c, bad
	}
	for ; n > 0; n-- {
		c.puts = append(c.puts, put{id: store.ID(b[:idSize]), crc: binary.BigEndian.Uint32(b[idSize:])})
		b = b[putSize:]
	}
	n, b = int(binary.BigEndian.Uint32(b)), b[4:]
	if len(b) != n*idSize {
		return c, bad
	}
	for ; n > 0; n-- {
		c.removes = append(c.removes, store.ID(b[:idSize]))
		b = b[idSize:]
	}
	return c, nil
}

// commit does steps 1 to 4. done reports whether the commit may have happened: then the change is
// there, or will be, even if there is an error.
func (h *hold) commit(c *change) (done bool, err error) {
	for i, p := range c.puts {
		if err := h.dir.write(putNames[i], p.file, p.time, true); err != nil {
			return false, err
		}
	}
	if err := h.dir.write(newName, c.encode(), 0, true); err != nil {
		return false, err
	}
	if err := h.dir.rename(newName, journalName); err != nil {
		return false, err
	}
	if err := h.dir.sync(); err != nil {
		return true, err
	}
	return true, h.apply(c)
}

// apply does steps 3 and 4, or as much of them as is not done yet.
func (h *hold) apply(c *change) error {
	todo, ok, err := h.begun(c)
	if err != nil {
		return err
	}
	if ok {
		for _, id := range c.removes {
			if err := h.dir.remove(idName(id)); err != nil && !missing(err) {
				return err
			}
		}
		for _, i := range slices.Backward(todo) { // a tail ends the old record
			if err := h.dir.rename(putNames[i], idName(c.puts[i].id)); err != nil {
				return err
			}
		}
		if err := h.dir.sync(); err != nil {
			return err
		}
	}
	return h.dir.remove(journalName)
}

// begun tells which puts are still to be renamed. It is not ok where one lies at neither of its
// names: see above.
func (h *hold) begun(c *change) (todo []int, ok bool, err error) {
	for i, p := range c.puts {
		there := false
		for _, name := range []string{putNames[i], idName(p.id)} {
			b, _, err := h.dir.read(name, fileMost)
			if err != nil && !missing(err) {
				return nil, false, err
			}
			if err != nil || sum(b) != p.crc {
				continue
			}
			if there = true; name == putNames[i] {
				todo = append(todo, i)
			}
			break
		}
		if !there {
			return nil, false, nil
		}
	}
	return todo, true, nil
}

// finish does the rest of a change that a crash has interrupted.
func (h *hold) finish() error {
	there, err := h.dir.exists(journalName)
	if err != nil || !there {
		return err
	}
	b, _, err := h.dir.read(journalName, 1<<24)
	if err != nil {
		return err
	}
	c, err := decodeJournal(b)
	if err != nil {
		return err
	}
	if err := h.apply(&c); err != nil {
		return fmt.Errorf("%w: journal: %v", store.ErrUnavailable, err)
	}
	return nil
}
