package qsess

import "context"

// managedBackEnd shows a Store of Sojourn's as a back-end: its session ids are tokens.
type managedBackEnd struct{ st *Store }

func (b managedBackEnd) Save(sessID *[]byte, data, userID []byte, maxAgeSecs, minRefreshSecs int) error {
	eng, err := b.st.engine()
	if err != nil {
		return err
	}
	c, t := content{maxAgeSecs, minRefreshSecs, data}, ticket{token: string(*sessID)}
	if *sessID == nil {
		err = eng.create(context.Background(), &t, string(userID), c, 0)
	} else {
		err = eng.update(context.Background(), &t, func(now *content) error { *now = c; return nil })
	}
	if err == nil {
		*sessID = []byte(t.token)
	}
	return err
}

func (b managedBackEnd) Get(sessID, _ []byte) (data, userID []byte, ttl, maxAgeSecs, minRefreshSecs int, err error) {
	eng, err := b.st.engine()
	if err != nil {
		return nil, nil, 0, 0, 0, err
	}
	user, c, ttl, err := eng.load(context.Background(), &ticket{token: string(sessID)})
	return c.data, []byte(user), ttl, c.maxAge, c.minRefresh, err
}

func (b managedBackEnd) Delete(sessID, _ []byte) error {
	eng, err := b.st.engine()
	if err != nil {
		return err
	}
	return eng.end(context.Background(), &ticket{token: string(sessID)})
}

func (b managedBackEnd) DeleteByUserID(userID []byte) error {
	return b.st.NewSession(userID).deleteByUserID(nil)
}
