//! The stored form of the counts of wrong guesses: the account's count and a device's count.

use serde::{Deserialize, Serialize};

use crate::account::{Counts, DeviceCount, Rows};
use crate::ids::DeviceId;
use crate::schema::Spread;

/// The rows that an event changes. The device is a field beside it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RowsName {
    Account,
    Device,
    AccountAndDevice,
}

impl Spread<(RowsName, Option<DeviceId>)> for (Rows,) {
    fn spread(self) -> (RowsName, Option<DeviceId>) {
        let (rows,) = self;
        let name = match rows {
            Rows::Account => RowsName::Account,
            Rows::Device(_) => RowsName::Device,
            Rows::Both(_) => RowsName::AccountAndDevice,
        };
        (name, rows.device())
    }

    fn gather(parts: (RowsName, Option<DeviceId>)) -> Self {
        let rows = match parts {
            (RowsName::Account, _) | (_, None) => Rows::Account,
            (RowsName::Device, Some(device)) => Rows::Device(device),
            (RowsName::AccountAndDevice, Some(device)) => Rows::Both(device),
        };
        (rows,)
    }
}

/// The wrong guesses in a row on a device.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LoginFailedOnDevice {
    pub(super) device_id: DeviceId,
    pub(super) failures: u32,
}

impl Spread<(Option<u32>, Option<LoginFailedOnDevice>)> for (Counts,) {
    fn spread(self) -> (Option<u32>, Option<LoginFailedOnDevice>) {
        let (Counts { account, device },) = self;
        let on = |count: DeviceCount| LoginFailedOnDevice { device_id: count.device, failures: count.count };
        (account, device.map(on))
    }

    fn gather((account, device): (Option<u32>, Option<LoginFailedOnDevice>)) -> Self {
        let device = device.map(|on| DeviceCount { device: on.device_id, count: on.failures });
        (Counts { account, device },)
    }
}

/// The wrong guesses in a row on a device, and the number of wrong codes among them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CodeFailedOnDevice {
    pub(super) device_id: DeviceId,
    pub(super) failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) codes: Option<u32>,
}

impl Spread<(Option<u32>, Option<u32>, Option<CodeFailedOnDevice>)> for (Counts, Counts) {
    fn spread(self) -> (Option<u32>, Option<u32>, Option<CodeFailedOnDevice>) {
        let (failures, codes) = self;
        let on = |count: DeviceCount| CodeFailedOnDevice {
            device_id: count.device,
            failures: count.count,
            codes: codes.device.map(|codes| codes.count),
        };
        (failures.account, codes.account, failures.device.map(on))
    }

    fn gather(parts: (Option<u32>, Option<u32>, Option<CodeFailedOnDevice>)) -> Self {
        let (failures, codes, device) = parts;
        let on = |count: Option<u32>| {
            device.as_ref().zip(count).map(|(on, count)| DeviceCount { device: on.device_id, count })
        };
        let on_device =
            (on(device.as_ref().map(|on| on.failures)), on(device.as_ref().and_then(|on| on.codes)));
        (Counts { account: failures, device: on_device.0 }, Counts { account: codes, device: on_device.1 })
    }
}
