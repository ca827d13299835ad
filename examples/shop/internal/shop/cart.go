package shop

import (
	"net/http"
	"slices"

	"github.com/sojourn-go/sojourn"
)

// product is one thing that the shop sells.
type product struct {
	ID, Name, Note string
	Price          int // cents
}

var products = []product{
	{"tea", "Assam tea", "100 g, loose", 850},
	{"honey", "Heather honey", "one jar", 920},
	{"salt", "Sea salt", "flakes, 250 g", 480},
	{"bread", "Rye bread", "baked today", 510},
	{"soap", "Olive soap", "no perfume", 390},
	{"candle", "Beeswax candle", "burns 20 h", 640},
}

func productByID(id string) (product, bool) {
	i := slices.IndexFunc(products, func(p product) bool { return p.ID == id })
	if i < 0 {
		return product{}, false
	}
	return products[i], true
}

// basket is the cart's content: how many of each product.
type basket map[string]int

func (b basket) count() (n int) {
	for _, k := range b {
		n += k
	}
	return n
}

// line is one row of a cart or an order.
type line struct {
	product
	Count int
}

// Total is the row's price in cents.
func (l line) Total() int { return l.Price * l.Count }

// lines gives the basket's rows in the order of the shelf.
func (b basket) lines() (rows []line) {
	for _, p := range products {
		if n := b[p.ID]; n > 0 {
			rows = append(rows, line{p, n})
		}
	}
	return rows
}

func (b basket) total() (cents int) {
	for _, l := range b.lines() {
		cents += l.Total()
	}
	return cents
}

// add changes the cart by n of a product. Changes of overlapping requests add up.
func add(s *sojourn.Session, id string, n int) error {
	return cart.Update(s, func(b *basket) error {
		if *b == nil {
			*b = basket{}
		}
		if (*b)[id] += n; (*b)[id] <= 0 {
			delete(*b, id)
		}
		return nil
	})
}

func (sh *shop) shelf(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	return sh.render(w, r, s, "shelf.html", "Corner shop", products)
}

func (sh *shop) showCart(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	b := cart.Get(s)
	return sh.render(w, r, s, "cart.html", "Your cart", struct {
		Lines []line
		Total int
	}{b.lines(), b.total()})
}

func (sh *shop) addToCart(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	p, ok := productByID(r.PostFormValue("product"))
	if !ok {
		return sh.badRequest(w, r, "There is no such product.")
	}
	if err := add(s, p.ID, 1); err != nil {
		return err
	}
	if err := notices.Add(s, p.Name+" is in your cart."); err != nil {
		return err
	}
	return back(w, r, local(r.PostFormValue("next")))
}

func (sh *shop) removeFromCart(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	if err := add(s, r.PostFormValue("product"), -1); err != nil {
		return err
	}
	return back(w, r, "/cart")
}

// order turns the cart into an order. Take happens once, however often the button was pressed: the
// request that loses fails in Save, before anything is ordered.
func (sh *shop) order(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	b, _ := cart.Take(s)
	if b.count() == 0 {
		return back(w, r, "/cart")
	}
	if err := notices.Add(s, "Thank you! Your order is on its way."); err != nil {
		return err
	}
	if err := s.Save(w); err != nil {
		return err
	}
	if err := sh.ledger.order(s.User(), b); err != nil {
		return err
	}
	return back(w, r, "/cart")
}
