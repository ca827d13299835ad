package sojourn

import (
	"context"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// logged are the events that an operator should see, and how bad they are. The others are the life
// of sessions as it should be.
var logged = map[EventName]struct {
	level slog.Level
	text  string
}{
	StoreFailed:      {slog.LevelError, "sojourn: the session store failed"},
	KeysDiffer:       {slog.LevelError, "sojourn: processes on one session store have different keys"},
	SealFailed:       {slog.LevelError, "sojourn: a token could not be sealed, opened or sent"},
	SessionDamaged:   {slog.LevelError, "sojourn: the record of a session is damaged"},
	ChangeLost:       {slog.LevelWarn, "sojourn: a request's changes of its session were not written"},
	InsecureRefused:  {slog.LevelWarn, "sojourn: no session over plain HTTP"},
	CrossSiteRefused: {slog.LevelWarn, "sojourn: cross-site request refused"},
	SeveralTokens:    {slog.LevelWarn, "sojourn: more than one session token in a request"},
	SessionReuse:     {slog.LevelWarn, "sojourn: a renewed token came back"},
	ValueDropped:     {slog.LevelWarn, "sojourn: a stored value does not decode and was dropped"},
	TokenRefused:     {slog.LevelInfo, "sojourn: a token was refused that this manager never made"},
}

// LogEvents returns an observer, for [Options.Observe], that writes to l what an operator should
// see: failures of the store, lost changes, and each kind of refusal with what to change. nil means
// slog's default logger at the time of the event. What goes as it should is not logged, and no
// user's id is.
//
// Of events of one name and reason it writes the first, and then at most one every 10 s, which says
// in "omitted" how many came between. It is safe for concurrent use.
func LogEvents(l *slog.Logger) func(context.Context, Event) {
	var pace pace
	return func(ctx context.Context, e Event) {
		about, ok := logged[e.Name]
		if !ok {
			return
		}
		omitted, due := pace.due(e)
		if !due {
			return
		}
		attrs := []slog.Attr{slog.String("event", string(e.Name))}
		if e.Reason != "" {
			attrs = append(attrs, slog.String("reason", e.Reason))
		}
		if e.Handle != (store.Handle{}) {
			attrs = append(attrs, slog.String("session", e.Handle.String()))
		}
		if e.Err != nil {
			attrs = append(attrs, slog.String("error", withoutPasswords(e.Err.Error())))
		}
		if e.Hint != "" {
			attrs = append(attrs, slog.String("change", e.Hint))
		}
		if omitted > 0 {
			attrs = append(attrs, slog.Int("omitted", omitted))
		}
		to := l
		if to == nil {
			to = slog.Default()
		}
		to.LogAttrs(ctx, about.level, about.text, attrs...)
	}
}

// passwords are the usual ways to write one in the address of a server. Our own stores show none; a
// store of somebody else's may quote its client's errors.
var passwords = regexp.MustCompile(`(?i)(://[^/?#\s]*:)[^/?#\s]*(@)|((?:password|passwd|pwd|secret|token)\s*[=:]\s*)\S+`)

func withoutPasswords(text string) string { return passwords.ReplaceAllString(text, "$1$3…$2") }

// pace keeps what repeats from filling a log.
type pace struct {
	mu    sync.Mutex
	kinds map[eventKind]*beat
}

type eventKind struct {
	name   EventName
	reason string
}

type beat struct {
	last    time.Time
	omitted int
}

const (
	logEvery = 10 * time.Second
	// mostKinds bounds what is remembered: a reason may be text that a client chose.
	mostKinds = 256
)

// due reports whether an event may be written, and how many of its kind were not since the last.
func (p *pace) due(e Event) (omitted int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := eventKind{e.Name, e.Reason}
	if p.kinds[k] == nil && len(p.kinds) >= mostKinds {
		k.reason = ""
	}
	b := p.kinds[k]
	if b == nil {
		if p.kinds == nil {
			p.kinds = make(map[eventKind]*beat)
		}
		p.kinds[k] = &beat{last: e.Time}
		return 0, true
	}
	if e.Time.Sub(b.last) < logEvery {
		b.omitted++
		return 0, false
	}
	omitted = b.omitted
	*b = beat{last: e.Time}
	return omitted, true
}
