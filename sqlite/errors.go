package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// errBusy is what a write ends with if it waits too long for another process.
var errBusy = fmt.Errorf("%w: another process holds the lock", store.ErrUnavailable)

// judge classes what a driver said of a call that surely left nothing behind. It leaves alone what
// is judged already.
func (e *engine) judge(err error) error {
	if err == nil || driver.Known(err) {
		return err
	}
	hint, class := classOf(e.code(err))
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		class = store.ErrUnavailable
	}
	return e.fault(hint, class, err)
}

// judgeCommit classes a failed COMMIT. Two refusals come before anything counts. After a failed
// write or fsync of the log, a later start may find the change in it.
func (e *engine) judgeCommit(err error) error {
	hint, class := classOf(e.code(err))
	if class != errBusy && class != store.ErrFull {
		class = store.ErrIndeterminate
	}
	return e.fault(hint, class, err)
}

func (e *engine) fault(hint string, class, err error) error {
	text := hint
	if code := e.code(err); code != "" {
		text = "engine error " + code
		if hint != "" {
			text += ": " + hint
		}
	}
	return driver.Fault(class, text, err)
}

// code returns SQLite's code, as drivers show it.
func (e *engine) code(err error) string {
	if e.opts.ErrorCode != nil {
		if c := e.opts.ErrorCode(err); c != "" {
			return c
		}
	}
	var number interface{ Code() int }
	if errors.As(err, &number) {
		return strconv.Itoa(number.Code())
	}
	return ""
}

// classOf says what the codes mean that are not just an outage. The upper bits of a code tell more
// of its cause and are not needed.
func classOf(code string) (hint string, class error) {
	n, err := strconv.Atoi(code)
	if err != nil {
		return "", store.ErrUnavailable
	}
	switch n & 0xff {
	case 1:
		return "a statement is refused: call Migrate first", store.ErrUnavailable
	case 5, 6, 15:
		return "", errBusy
	case 8, 14:
		return "the file cannot be opened or written", store.ErrUnavailable
	case 10:
		if n == 522 { // short read
			return "the file is cut off", store.ErrUnavailable
		}
		return "reading or writing the file failed", store.ErrUnavailable
	case 11, 26:
		return "the file is damaged", store.ErrUnavailable
	case 13:
		return "no room on the disk, or as many pages as allowed", store.ErrFull
	}
	return "", store.ErrUnavailable
}
