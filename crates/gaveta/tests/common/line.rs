//! A line to the server that a test may slow, stall and cut.

use std::net::Ipv4Addr;

use gaveta_testkit::proxy::CuttingProxy;

use super::House;

pub struct Line {
    pub proxy: CuttingProxy,
    // After the proxy, which lives in it.
    _runtime: tokio::runtime::Runtime,
}

impl Line {
    pub fn to(house: &House) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let target = (Ipv4Addr::LOCALHOST, house.port).into();
        let proxy = runtime.block_on(CuttingProxy::start(target)).unwrap();
        Self {
            proxy,
            _runtime: runtime,
        }
    }

    pub fn port(&self) -> u16 {
        self.proxy.address().port()
    }

    /// An address by this line.
    pub fn at(&self, path: &str) -> String {
        format!("127.0.0.1:{}/{path}", self.port())
    }

    /// Nothing goes, and nothing new is let through, until it is mended.
    pub fn cut(&self) {
        self.proxy.refuse(true);
        self.proxy.cut_now();
    }

    pub fn mend(&self) {
        self.proxy.heal();
    }
}
