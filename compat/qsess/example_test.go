package qsess_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/sojourn-go/sojourn/compat/qsess"
)

// A program that signs in, counts, and signs out.
func Example() {
	sessions, err := qsess.NewMapStore([]byte("replace me: 32 random bytes here"))
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.NewSession([]byte("ada")) // once her password is seen to be right
		if err := s.Save(w); err != nil {
			http.Error(w, "please try again", http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
		s, _, err := sessions.GetSession(w, r)
		if err != nil {
			http.Error(w, "please sign in", http.StatusUnauthorized)
			return
		}
		vars := s.Data.(*qsess.VarMap).Vars
		n, _ := vars["n"].(int)
		vars["n"] = n + 1
		if err := s.Save(w); err != nil {
			http.Error(w, "please try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "%s: %d", s.UserID(), n+1)
	})
	http.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		s, _, err := sessions.GetSession(w, r)
		if err == nil {
			err = s.Delete(w)
		}
		fmt.Fprint(w, "signed out: ", err == nil)
	})

	srv := httptest.NewServer(http.DefaultServeMux)
	defer srv.Close()
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	for _, path := range []string{"/login", "/count", "/count", "/logout", "/count"} {
		resp, err := browser.Get(srv.URL + path)
		if err != nil {
			panic(err)
		}
		body := make([]byte, 100)
		n, _ := resp.Body.Read(body)
		resp.Body.Close()
		fmt.Printf("%s %d %q\n", path, resp.StatusCode, body[:n])
	}
	// Output:
	// /login 200 ""
	// /count 200 "ada: 1"
	// /count 200 "ada: 2"
	// /logout 200 "signed out: true"
	// /count 401 "please sign in\n"
}

// basket is a program's own session data.
type basket struct{ Items []string }

func (b *basket) Marshal() ([]byte, error)   { return json.Marshal(b) }
func (b *basket) Unmarshal(raw []byte) error { return json.Unmarshal(raw, b) }

// Merge keeps what several requests have put into the basket at the same time.
func (b *basket) Merge(base, theirs []byte) error {
	var was, now basket
	if err := was.Unmarshal(base); err != nil {
		return err
	}
	if err := now.Unmarshal(theirs); err != nil {
		return err
	}
	b.Items = append(now.Items, b.Items[len(was.Items):]...)
	return nil
}

// With Merge, which is optional, two overlapping requests keep each other's changes; without it the
// later one gets an error.
func ExampleStore_NewSessData() {
	sessions, err := qsess.NewMapStore([]byte("replace me: 32 random bytes here"))
	if err != nil {
		panic(err)
	}
	sessions.NewSessData = func() qsess.SessData { return new(basket) }
	s := sessions.NewSession([]byte("ada"))
	if err := s.Save(httptest.NewRecorder()); err != nil {
		panic(err)
	}
	token, _, _ := s.Token()

	one, _, _ := sessions.GetTokenSession(token)
	two, _, _ := sessions.GetTokenSession(token)
	one.Data.(*basket).Items = append(one.Data.(*basket).Items, "tea")
	two.Data.(*basket).Items = append(two.Data.(*basket).Items, "milk")
	fmt.Println(one.Save(httptest.NewRecorder()), two.Save(httptest.NewRecorder()))
	s, _, _ = sessions.GetTokenSession(token)
	fmt.Println(s.Data.(*basket).Items)
	// Output:
	// <nil> <nil>
	// [tea milk]
}

// A second Store makes tokens that confirm an address; they sign nobody in.
func ExampleSession_Token() {
	key := []byte("replace me: 32 random bytes here")
	logins, _ := qsess.NewMapStore(key)
	confirmations, _ := qsess.NewMapStore(key)
	confirmations.AuthType = qsess.TokenAuth
	confirmations.NewSessData = nil
	confirmations.MaxAgeSecs = 3600

	s := confirmations.NewSession([]byte("ada@example.com"))
	if err := s.Save(nil); err != nil { // nothing is sent without SendToken
		panic(err)
	}
	token, ttl, _ := s.Token() // for the link in the mail
	fmt.Println("good for", ttl, "seconds")

	_, _, err := logins.GetTokenSession(token)
	fmt.Println(err)
	s, _, err = confirmations.GetTokenSession(token)
	fmt.Println(string(s.UserID()), err)
	// Output:
	// good for 3600 seconds
	// qsess: get session: qsess: no session
	// ada@example.com <nil>
}
